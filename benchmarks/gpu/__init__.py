"""What a GPU should show, by ``make gpu``."""
