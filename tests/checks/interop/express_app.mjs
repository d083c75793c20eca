// The unmodified Express middleware of the published Node SDK, with the settings of `interop_guard.rs`.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.NODE_SDK);
const express = require("express");
const { apikeeMiddleware, requireScope } = await import(
  pathToFileURL(`${dirname(process.env.NODE_SDK)}/adapters/express.js`)
);

const seconds = (time) => (time === null ? null : time.getTime() / 1000);

const claims = (request, response) => {
  const said = request.apikee;
  response.json({
    claims: said
      ? {
          id: said.id,
          tenant: said.tenant,
          scopes: said.scopes,
          environment: said.environment,
          expires_at: seconds(said.expiresAt),
          not_before: seconds(said.notBefore),
          meta: said.meta,
        }
      : null,
  });
};

const app = express();
app.use(apikeeMiddleware({ secrets: JSON.parse(process.env.SECRETS) }));
for (const [path, scopes] of Object.entries(JSON.parse(process.env.ROUTES))) {
  app.all(path, requireScope(...scopes), claims);
}
app.use(claims);

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
