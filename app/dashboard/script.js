// Every page works without this.
