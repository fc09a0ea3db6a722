"""What a message says, whoever sent it: pictures, readings, commands in our frames and units."""
