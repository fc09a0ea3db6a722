"""Vehicle dynamics: rotors, drag, rigid body, faults and autopilot."""
