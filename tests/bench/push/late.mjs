// Stands before the registry and gives each answer late. Arguments: its port, the registry's, milliseconds, folder with
// certificate and key.
import { readFileSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const [port, registryPort, delay, folder] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, ca: readFileSync(join(folder, "ca.crt")) });
const certificate = { cert: readFileSync(join(folder, "server.crt")), key: readFileSync(join(folder, "server.key")) };

https
  .createServer(certificate, (request, response) => {
    const { method, url, headers } = request;
    const onwards = https.request({ host: "127.0.0.1", port: registryPort, method, path: url, headers, agent });
    onwards.on("error", () => response.destroy());
    onwards.on("response", async (answer) => {
      await sleep(Number(delay));
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onwards);
  })
  .listen(Number(port), "127.0.0.1");
