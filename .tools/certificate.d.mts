/** PEM texts: a certificate for localhost that is its own authority, and its private key. */
export function certificateForLocalhost(): Promise<{ cert: string; key: string }>;
