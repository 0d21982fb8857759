throw new Error(`the password is ${process.env.MARKED}`);
