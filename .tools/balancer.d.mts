/**
 * Stands before several services, as a load balancer does: each connection goes to the first one that takes it, TLS and
 * all.
 * @param urls of the services
 */
export function balance(urls: readonly string[]): Promise<{ port: number; close(): void }>;
