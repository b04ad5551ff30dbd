"""Devices, ranks, memory and speed of the machine."""
