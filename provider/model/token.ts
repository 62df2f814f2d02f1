import { randomBytes } from "node:crypto";

/** Tells one resource from every other, whatever their names: 16 random hex digits. */
export function newToken(): string {
  return randomBytes(8).toString("hex");
}
