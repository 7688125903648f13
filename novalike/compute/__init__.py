"""The daemon on a hypervisor: carries out orders behind a fence, keeps a ledger of them, and reports; it has no database."""
