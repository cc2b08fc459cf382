"""How well this project predicts beside other systems: same rows, same cores, same seconds. Speed is next door."""
