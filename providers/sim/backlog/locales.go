package backlog

// locales are the countries that invoices come from.
func locales() []locale {
	return []locale{british(), american(), german(), swiss(), french()}
}

func british() locale {
	return locale{
		currency: "GBP", symbol: "£", countries: []string{"GB"}, thousands: ",", decimal: ".", taxes: []int{200, 50},
		dates: []string{"2 January 2006", "02/01/2006", "2006-01-02"}, pieces: "pcs at",
		words: englishWords(),
		items: []string{
			"Toner cartridge XL", "Copy paper A4, box", "Desk pad, grey", "Whiteboard markers, set of 8", "Ring binders, blue",
			"Cleaning of office, March", "Window cleaning", "Meeting room hire", "Catering, half day", "Courier service",
			"Maintenance visit", "Replacement filter", "Fire extinguisher check", "Network cable 5 m", "Monitor arm",
			"Software licence, annual", "Hosting, monthly", "Domain renewal", "Support hours", "Training day",
		},
		remarks: englishRemarks(),
	}
}

func american() locale {
	l := british()
	l.currency, l.symbol, l.countries, l.taxes = "USD", "$", []string{"IE", "NL"}, []int{0, 210}
	l.dates = []string{"January 2, 2006", "01/02/2006", "2006-01-02"}
	return l
}

func englishWords() map[kind][]string {
	return map[kind][]string{
		kindNumber:   {"Invoice no.", "Invoice number", "Invoice ID", "Our invoice"},
		kindDate:     {"Invoice date", "Date of issue", "Issued on"},
		kindOrder:    {"Order no.", "Purchase order", "Your order"},
		kindDue:      {"Due date", "Payable until", "Please pay by"},
		kindCustomer: {"Customer no.", "Account ref."},
		kindIBAN:     {"IBAN", "Pay to IBAN", "Bank account (IBAN)"},
		kindDebtor:   {"Your IBAN on file", "Debtor IBAN"},
		kindHeader:   {"Description", "Items"},
		kindSubtotal: {"Subtotal", "Net amount"},
		kindDiscount: {"Discount", "Goodwill discount"},
		kindCarriage: {"Carriage", "Delivery charge"},
		kindTax:      {"VAT", "Tax"},
		kindTotal:    {"Total due", "Amount due", "Grand total"},
		kindCarried:  {"Carried forward"},
	}
}

func englishRemarks() []string {
	return []string{
		"Thank you for your order.", "We are glad to be of service.",
		"Please quote the invoice number with your payment.",
		"Goods remain our property until they are paid for.",
		"Questions about this invoice are answered by our accounts team on weekdays.",
		"Our general terms apply; a copy is sent on request.",
		"Deliveries to other addresses are charged separately.",
		"Complaints about missing goods have to reach us within ten days.",
		"This document was made by machine and is valid without signature.",
		"We have moved: please note our new address above.",
	}
}

func german() locale {
	return locale{
		currency: "EUR", symbol: "€", countries: []string{"DE", "AT"}, thousands: ".", decimal: ",", taxes: []int{190, 70},
		dates: []string{"02.01.2006", "2. January 2006"}, pieces: "Stk. zu",
		months: []string{
			"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember",
		},
		words: map[kind][]string{
			kindNumber:   {"Rechnungsnummer", "Rechnung Nr.", "Rechnungs-Nr."},
			kindDate:     {"Rechnungsdatum", "Ausgestellt am"},
			kindOrder:    {"Bestellnummer", "Ihre Bestellung"},
			kindDue:      {"Zahlbar bis", "Fällig am"},
			kindCustomer: {"Kundennummer"},
			kindIBAN:     {"IBAN", "Bankverbindung IBAN"},
			kindDebtor:   {"Ihre IBAN (Lastschrift)"},
			kindHeader:   {"Bezeichnung", "Positionen"},
			kindSubtotal: {"Zwischensumme", "Nettobetrag"},
			kindDiscount: {"Rabatt"},
			kindCarriage: {"Versandkosten", "Fracht"},
			kindTax:      {"USt.", "MwSt."},
			kindTotal:    {"Gesamtbetrag", "Rechnungsbetrag", "Zu zahlen"},
			kindCarried:  {"Übertrag"},
		},
		items: []string{
			"Druckerpatrone schwarz", "Kopierpapier A4", "Schreibtischlampe", "Bürostuhl Modell 7", "Wartung der Heizung",
			"Reinigung Treppenhaus", "Schrauben M6, Paket", "Arbeitshandschuhe", "Bohrer-Set", "Beratung vor Ort",
			"Netzteil 60 W", "Etiketten, Rolle", "Kaffeebohnen 1 kg", "Mineralwasser, Kiste", "Transport nach Aufwand",
		},
		remarks: []string{
			"Vielen Dank für Ihren Auftrag.", "Die Ware bleibt bis zur vollständigen Bezahlung unser Eigentum.",
			"Bitte geben Sie bei der Zahlung die Rechnungsnummer an.", "Es gelten unsere Geschäftsbedingungen.",
			"Rückfragen beantwortet unsere Buchhaltung werktags bis 16 Uhr.",
		},
	}
}

func swiss() locale {
	l := german()
	l.currency, l.symbol, l.countries, l.thousands, l.decimal = "CHF", "Fr.", []string{"CH"}, "'", "."
	l.taxes = []int{81, 26}
	return l
}

func french() locale {
	return locale{
		currency: "EUR", symbol: "€", countries: []string{"FR"}, thousands: " ", decimal: ",", taxes: []int{200, 55},
		dates: []string{"02/01/2006", "2 January 2006"}, pieces: "pièces à",
		months: []string{
			"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
		},
		words: map[kind][]string{
			kindNumber:   {"Facture n°", "Numéro de facture"},
			kindDate:     {"Date de facture", "Émise le"},
			kindOrder:    {"Commande n°", "Votre commande"},
			kindDue:      {"Échéance", "À payer avant le"},
			kindCustomer: {"Client n°"},
			kindIBAN:     {"IBAN", "Compte IBAN"},
			kindDebtor:   {"Votre IBAN (prélèvement)"},
			kindHeader:   {"Désignation", "Articles"},
			kindSubtotal: {"Sous-total", "Montant HT"},
			kindDiscount: {"Remise"},
			kindCarriage: {"Frais de port"},
			kindTax:      {"TVA"},
			kindTotal:    {"Total TTC", "Net à payer"},
			kindCarried:  {"Report"},
		},
		items: []string{
			"Cartouche d'encre", "Ramette de papier A4", "Nettoyage des bureaux", "Location de salle", "Chaise de bureau",
			"Entretien climatisation", "Formation, une journée", "Câble réseau 5 m", "Lampe de bureau", "Café en grains 1 kg",
			"Abonnement mensuel", "Transport et livraison", "Étiquettes, rouleau", "Panneau mural",
		},
		remarks: []string{
			"Merci de votre confiance.", "Prière de rappeler le numéro de facture lors du paiement.",
			"Nos conditions générales s'appliquent.", "Aucun escompte pour paiement anticipé.",
			"Pour toute question, notre service comptable répond en semaine.",
		},
	}
}
