"""The notice board: days are closed and sealed, and a sheet of each can be printed, hung up and checked by anybody."""
