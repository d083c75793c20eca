// Issues and verifies keys with the published Node SDK: JSON in, JSON out.
const { ApikeeKeyEngine } = await import(process.env.NODE_SDK);
const engine = new ApikeeKeyEngine([process.env.SECRET]);

const moment = (seconds) => (seconds === null ? null : new Date(seconds * 1000));
const seconds = (time) => (time === null ? null : time.getTime() / 1000);

const issue = (spec) =>
  engine.create({
    tenant: spec.tenant,
    scopes: spec.scopes,
    environment: spec.environment,
    expiresIn: moment(spec.expires_at),
    notBefore: moment(spec.not_before),
    meta: spec.meta,
  });

const verify = (key) => {
  const claims = engine.verify(key);
  return {
    tenant: claims.tenant,
    scopes: claims.scopes,
    environment: claims.environment,
    expires_at: seconds(claims.expiresAt),
    not_before: seconds(claims.notBefore),
    meta: claims.meta,
  };
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const work = process.argv[2] === "issue" ? issue : verify;
process.stdout.write(JSON.stringify(JSON.parse(input).map(work)));
