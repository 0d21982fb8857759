// Packages whose types lie in packages of their own, which are not installed here.
declare module 'cookie-session';
declare module 'cookie-parser';
declare module 'express-session';
declare module 'jsonwebtoken';
