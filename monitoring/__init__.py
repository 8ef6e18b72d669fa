"""Whether the traffic of a deployed model still looks like what it was judged on."""
