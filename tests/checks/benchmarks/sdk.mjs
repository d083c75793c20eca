// Times the published Node SDK: the nanoseconds to verify a key that it has issued, measured in rounds.
const { ApikeeKeyEngine } = await import(process.env.NODE_SDK);

const [ROUNDS, EACH] = [101, 500];
const engine = new ApikeeKeyEngine(["2014e90b82285ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf54ea1"]);
const key = engine.create({ tenant: "acme-corp", scopes: ["read", "write"], meta: { plan: "professional" } });

let tenant;
const round = () => {
  const start = process.hrtime.bigint();
  for (let n = 0; n < EACH; n++) tenant = engine.verify(key).tenant;
  return Number(process.hrtime.bigint() - start) / EACH;
};
const times = Array.from({ length: ROUNDS }, round).sort((a, b) => a - b);
if (tenant !== "acme-corp") throw new Error("not verified");
console.log(JSON.stringify({ fastest: times[0], median: times[ROUNDS >> 1] }));
