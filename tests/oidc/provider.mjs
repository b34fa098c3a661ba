// An OpenID Connect provider on loopback: node provider.mjs PORT REDIRECT_URI. Whoever signs in under an address gets
// that address vouched for, but for those that begin with "unverified"; "brief" ones are signed in for a few seconds,
// and of "many" is said of which 400 groups they are.
import { randomUUID } from "node:crypto";
import { Provider } from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "petrol",
      client_secret: "only for tests",
      redirect_uris: [redirect],
      post_logout_redirect_uris: [redirect],
    },
  ],
  claims: { email: ["email", "email_verified"], profile: ["name", "groups"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["only for tests"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: id,
      email: id,
      email_verified: !id.startsWith("unverified"),
      ...(id.startsWith("many") && { groups: Array.from({ length: 400 }, () => randomUUID()) }),
    }),
  }),
  ttl: {
    IdToken: (context) => (context.oidc.account?.accountId.startsWith("brief") ? 15 : 3600),
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
