"""What tests of several folders share: oracles, tiny models, miniature data, crashes."""
