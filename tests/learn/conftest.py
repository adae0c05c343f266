"""This file lets the tests of the inner rooms import `days`."""
