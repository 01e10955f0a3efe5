"""What the commands do, a module each; their options are in the modules of the same names above."""
