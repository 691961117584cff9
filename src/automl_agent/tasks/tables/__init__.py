"""Tables: reading, profiling, splitting, preparing and modelling rows and columns; shared by the tabular families."""
