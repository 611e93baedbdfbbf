"""Where cases come from: drawn twins, exchanged colours."""
