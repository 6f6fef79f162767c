"""Generated from proto/ by scripts/gen_proto. Never edited by hand."""
