/**
 * Sees to it that this machine has a Pulumi CLI; says what it does on standard output, and what is missing on standard
 * error.
 */
import { findCli } from "./findCli";

try {
  findCli();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
