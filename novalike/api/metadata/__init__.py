"""The 169.254.169.254 service which guests ask, behind the agents' signing proxies."""
