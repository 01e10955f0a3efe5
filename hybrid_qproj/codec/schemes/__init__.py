"""The schemes of codes, a file each."""
