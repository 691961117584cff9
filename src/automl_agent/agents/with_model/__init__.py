"""The language-model forms of the roles. Each works on the contract of its rules, and falls back to them alone."""
