"""Other ways to compute what the head computes, each as a user of its library would write it."""
