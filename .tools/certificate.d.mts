/**
 * @param name whom it is for, besides localhost
 * @returns PEM texts: a certificate that is its own authority, and its private key
 */
export function certificateForLocalhost(name?: string): Promise<{ cert: string; key: string }>;
