"""What goes around a plugin's device, one quirk a file.

General ones are delegate, failures, precision and seeding; the others belong to a plugin, whose rows name their
functions.
"""
