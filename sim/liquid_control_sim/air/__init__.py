"""Air of a flight: mean wind, turbulence, gusts, wakes of trees and rotor wash."""
