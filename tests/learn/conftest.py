"""Being here, it lets the tests of the inner rooms import `days`."""
