"""Teams that save points together: their name, their account, and the resident who is asked about them."""
