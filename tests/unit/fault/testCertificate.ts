import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let made: { cert: string; key: string } | undefined;

/** A certificate for 127.0.0.1 that vouches for itself. */
export function testCertificate(): Promise<{ cert: string; key: string }> {
  if (!made) {
    const folder = mkdtempSync(join(tmpdir(), "fault-"));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=fault",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { stdio: "ignore" },
    );
    made = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    rmSync(folder, { recursive: true });
  }
  return Promise.resolve(made);
}
