"""`novalike-manage import-nova`: takes a Nova's databases over. Nothing is ever written to them.

| file | what |
| --- | --- |
| `source` | Nova's databases: opened, checked, read in batches |
| `versioned` | the JSON in which Nova stores objects |
| `plan` | what was found, what is new, what is left and why |
| `target` | where it goes, and what is to be done with what |
| `flavors`, `projects`, `aggregates`, `hosts` | one kind of thing each |
| `servers`, `server`, `network`, `disks`, `hardware`, `history` | servers: the batches, and the parts of one |
| `ports` | what Neutron has to remember of servers' ports |
| `command` | the command line |
"""
