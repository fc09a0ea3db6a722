"""Models of the IMU and the range sensor."""
