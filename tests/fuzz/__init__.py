"""A fuzzer for inputs: it makes valid ones, damages them, and looks at what reading and extracting makes of them."""
