"""Bad and unusual inputs, a file a kind: each row is a call and how it must end.

Names begin with a letter for the kind and a number: A12 is the twelfth of the array containers.
`test_bad_inputs.py` runs them all.
"""
