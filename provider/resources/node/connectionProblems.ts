import { unknownArguments } from "../../model/argumentNames";
import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import type { NodeConnection } from "../../node";
import { isUnknown } from "../../pulumi/plainValue";
import { connectionNames } from "./names";
import { connectionShapeProblems } from "./shapes";

/** Of one that comes right from a program; what NodeContainerd has in its state is not asked for its names again. */
export function declaredConnectionProblems(connection: NodeConnection, name = "connection"): Problem[] {
  return [...unknownArguments(connection, connectionNames, name), ...connectionProblems(connection, name)];
}

/** What can be said of a connection without dialling. */
export function connectionProblems(connection: NodeConnection, name = "connection"): Problem[] {
  const problems = connectionShapeProblems(connection, name);
  if (problems.length > 0) {
    return problems;
  }
  const { host } = connection;
  if (!isUnknown(host) && (host === "" || /[\s/@]/.test(host))) {
    problems.push(
      invalidArgument(
        `${name}.host: "${host}" is not a host name or address; give the plain one (the user goes into ${name}.user, the port into ${name}.port).`,
      ),
    );
  }
  if (connection.privateKey !== undefined && connection.privateKeyPath !== undefined) {
    const text = `${name}: both privateKey and privateKeyPath are given; leave one of them out.`;
    problems.push({ code: "NODE_KEY", text });
  }
  if (connection.hostKey !== undefined && connection.knownHostsPath !== undefined) {
    const text = `${name}: both hostKey and knownHostsPath are given; leave one of them out.`;
    problems.push({ code: "NODE_KNOWN_HOSTS", text });
  }
  if (
    connection.insecureIgnoreHostKey === true &&
    (connection.hostKey !== undefined || connection.knownHostsPath !== undefined)
  ) {
    const text = `${name}: insecureIgnoreHostKey makes hostKey and knownHostsPath meaningless; leave it out, or them.`;
    problems.push({ code: "NODE_KNOWN_HOSTS", text });
  }
  if (connection.proxy !== undefined && !isUnknown(connection.proxy)) {
    problems.push(...connectionProblems(connection.proxy, `${name}.proxy`));
  }
  return problems;
}
