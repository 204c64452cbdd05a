"""Call control in the words of CSTA (ECMA-269): no web framework, no database, no PBX outside its own driver folder."""
