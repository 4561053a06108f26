"""Do the tests notice a change of the code? python -m tests.mutation MODULE TESTS..."""
