"""What text in a body may be made of, as regular expressions for msgspec and for OpenAPI."""

# In Python `$` also matches before a last line feed, which has no business in a mail's header.
END = r"$(?!\n)"
LINE = r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]*" + END  # begins with something to see
NO_NUL = r"^[^\x00]*$"
