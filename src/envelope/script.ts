/** The worker's script as text: loaded with the first worker, if the page serves none. */
export const loadScript = () => import("./worker-script.js");
