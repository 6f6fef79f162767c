"""Logging in at an identity provider: OpenID Connect, authorization code with PKCE.

Takes in what a browser brings back from the provider; gives out a user of ours. What a provider says counts
once its signature, issuer, audience, time and nonce are right, and a rule of the configuration says who that is.
"""
