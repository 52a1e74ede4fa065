// Creds files. It owns their form (nats-io/jwt, v2/creds_utils.go): a user JWT and the seed of its key, for clients that read one.

export const toCredsFile = (jwt: string, seed: string): string => `\
-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.
NKEYs are sensitive and should be treated as secrets.

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------

*************************************************************
`
