"""What a system makes of the cases."""
