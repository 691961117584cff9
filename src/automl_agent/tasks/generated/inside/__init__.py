"""Programs that run in the sandbox. They are copied there beside the generated code, and import no library of ours."""
