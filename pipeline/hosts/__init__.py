"""The stage hosts: lists of hosts, and hosts judged by all of their pages."""
