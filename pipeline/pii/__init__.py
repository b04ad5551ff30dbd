"""The stage pii: personal data that is masked or drops its document."""
