"""The stage quality: rules and the profiles that hold them."""
