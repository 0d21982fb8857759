/** A module that exports no store. */
export const port = 8080;
