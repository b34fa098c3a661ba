"""What stands between the network and the pages: the guard, cookies, and the JSON interface."""
