/** Rules of a Redis user with all rights. */
export const RIGHTS = ['~*', '&*', '+@all'] as const;
